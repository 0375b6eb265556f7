"""Cohorts: files, spreadsheets, databases."""
