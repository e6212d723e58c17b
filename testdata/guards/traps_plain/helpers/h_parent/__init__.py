child = {"StopLogging"}
