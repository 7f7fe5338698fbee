"""The demo: three source systems live months in seconds, a real worker watches them, and all is counted twice."""
