"""full_size."""
