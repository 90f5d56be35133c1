"""Own language models and prompts: attributions of prompts, and studies of them."""
