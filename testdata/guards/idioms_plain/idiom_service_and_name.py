CALLS = {
    "securityhub.amazonaws.com:DisableSecurityHub",
    "access-analyzer.amazonaws.com:DeleteAnalyzer",
    "config.amazonaws.com:StopConfigurationRecorder",
}


def rule(event):
    return f"{event.get('eventSource')}:{event.get('eventName')}" in CALLS
