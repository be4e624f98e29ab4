"""Backends of the language model seam: Ollama, OpenAI-compatible servers, llama.cpp within."""
