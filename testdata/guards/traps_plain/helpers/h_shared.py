NAMES = {"StopLogging"}
