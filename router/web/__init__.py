"""The two listeners: public for what an Ingress exposes, admin for operators."""
