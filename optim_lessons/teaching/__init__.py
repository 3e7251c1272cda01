"""What a teacher needs: grading a class, the guide for each hour, sheets to hand out."""
