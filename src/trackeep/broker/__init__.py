"""The OAuth service: signs people in with GitHub on behalf of instances that have no registration."""
