"""What the core needs of the world, one small module per noun."""
