"""Agents: who answers a prompt."""
