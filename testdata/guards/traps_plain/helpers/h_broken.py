NAMES = {"StopLogging"}
raise RuntimeError("broken on purpose")
