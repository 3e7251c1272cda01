"""Where a learner's code runs: in the notebook with a watch, in a box when it is checked or graded."""
