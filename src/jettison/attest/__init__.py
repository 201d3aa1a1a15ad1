"""What is stated about an image: how it was built (SLSA provenance) and what is in it (an SBOM)."""
