"""What is right, from the files that data sets come in: one reader for each shape, told apart by what is in them."""
