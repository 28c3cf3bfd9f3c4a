"""What the app costs on top of the API, as ratios measured side by side. README.md here says how to read them."""
