"""breeding."""
