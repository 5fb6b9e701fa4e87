"""The HTTP surface: `dispatcher.build_api` builds the private one; `resources.webhook` has the public one."""
