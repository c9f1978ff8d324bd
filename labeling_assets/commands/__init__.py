"""What `labeling-assets` offers, one module a group; heavy imports stay inside the commands."""
