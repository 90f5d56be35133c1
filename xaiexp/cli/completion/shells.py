"""The script of each shell; ``xaiexp completion SHELL`` prints it."""

from __future__ import annotations

__all__ = ["SCRIPTS"]

# bash takes "=" and ":" for the ends of words: what stands before the last one is cut from the answers.
_BASH = """\
_xaiexp() {
  local current="${COMP_WORDS[COMP_CWORD]}" line="${COMP_LINE:0:COMP_POINT}" word whole
  whole="${line##* }"
  whole="${whole#[\\"\\']}"
  [[ "$current" == "=" || "$current" == ":" ]] && current=""
  current="${current#[\\"\\']}"
  local before="${whole%"$current"}"
  COMPREPLY=()
  while IFS= read -r word; do
    if [[ "$word" == "<files>" ]]; then
      local start="" name="$current"
      compopt -o filenames 2>/dev/null
      while IFS= read -r word; do COMPREPLY+=("$start$word"); done < <(compgen -f -- "$name")
    else
      COMPREPLY+=("${word#"$before"}")
    fi
  done < <(_XAIEXP_COMPLETE="$line" "${COMP_WORDS[0]}" 2>/dev/null)
  if [[ ${#COMPREPLY[@]} -eq 1 && ( "${COMPREPLY[0]}" == *= || "$whole" == *[* ) ]]; then
    compopt -o nospace 2>/dev/null
  fi
}
complete -F _xaiexp xaiexp
"""

_ZSH = """\
#compdef xaiexp
_xaiexp() {
  local line="${BUFFER[1,CURSOR]}" word current="${PREFIX}"
  local -a found
  found=("${(@f)$(_XAIEXP_COMPLETE="$line" ${words[1]} 2>/dev/null)}")
  found=("${(@)found:#}")
  for word in "${found[@]}"; do
    if [[ "$word" == "<files>" ]]; then
      compset -P '*='
      _files
      return
    fi
  done
  (( ${#found} )) || return 1
  local -a open closed
  for word in "${found[@]}"; do
    if [[ "$word" == *= || "$word" == *\\[* ]]; then open+=("$word"); else closed+=("$word"); fi
  done
  (( ${#open} )) && compadd -U -Q -S '' -- "${open[@]}"
  (( ${#closed} )) && compadd -U -Q -- "${closed[@]}"
  return 0
}
if [[ "${funcstack[1]}" == "_xaiexp" ]]; then
  _xaiexp "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u }
  compdef _xaiexp xaiexp
fi
"""

_FISH = """\
function __xaiexp_complete
  set -l line (commandline -cp)
  set -l program (string split -m 1 ' ' -- $line)[1]
  for word in (env _XAIEXP_COMPLETE="$line" $program 2>/dev/null)
    if test "$word" = "<files>"
      set -l current (commandline -ct)
      set -l key (string match -r '^[^=]*=' -- $current)
      for name in (__fish_complete_path (string replace -r '^[^=]*=' '' -- $current))
        echo "$key$name"
      end
    else
      echo "$word"
    end
  end
end
complete -c xaiexp -f -a '(__xaiexp_complete)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
"""Shell to its script."""
