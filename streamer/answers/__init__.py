"""Answers: the one record that stands for each request in the end, and the requests that are sent again."""
