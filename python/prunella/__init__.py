"""Prunella: a trading system that heals itself."""

from prunella._core import __version__

__all__ = ["__version__"]
