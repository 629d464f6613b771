"""Every formula of the screens as one named pure function."""
