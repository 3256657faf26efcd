"""What runs a Python node of KRT V1 (kn-krt). None of it is for nodes to import."""
