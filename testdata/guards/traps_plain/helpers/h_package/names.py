StopLogging = "StopLogging"
