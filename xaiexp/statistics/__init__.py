"""Statistics of scores: intervals, paired tests, ranks, agreement between examples, variance decomposition."""
