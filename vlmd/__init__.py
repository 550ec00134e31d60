"""vlmd: drop videos into a folder, get what a vision-language model saw in them."""

__version__ = "0.1.0"
