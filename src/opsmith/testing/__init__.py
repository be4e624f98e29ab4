"""Doubles and the promises that every backend must keep, for users' own backends too."""
