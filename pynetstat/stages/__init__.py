"""What is done with the rows of a table: owners, names, filters, order, counts."""
