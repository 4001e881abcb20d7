"""Delivery: the results of one ended batch, downloaded until every writer has every record."""
