"""The same dialogues played to NGINX and to Postern; whatever differs must be in differences.py."""
