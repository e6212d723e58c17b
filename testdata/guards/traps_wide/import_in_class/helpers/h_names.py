NAMES = ["StopLogging"]
