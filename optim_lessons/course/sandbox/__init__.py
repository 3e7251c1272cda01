"""Where a learner's code runs: watched in the notebook, or boxed in when it is checked and graded."""
