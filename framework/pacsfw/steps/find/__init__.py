"""Ask what the PACS holds, prove what can be proven, and write the study list."""
