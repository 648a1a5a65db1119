"""The parts of the audit example: checks over a site-packages folder, a report, tools, and an offline analyst."""
