"""The diffusion model: RiffTransformer, the pipeline around it, its text encoder and the shipped weights."""
