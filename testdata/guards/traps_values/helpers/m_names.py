TRIED = ["StopLogging"]
INSIDE = ["StopLogging"]
TWICE = ["StopLogging"]
