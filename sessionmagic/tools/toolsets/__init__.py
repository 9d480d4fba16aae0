"""The tools of an agent's toolsets: files, commands, the web, a memory and the like, each type in a module."""
