def rule(event):
    return event.udm("source_ip") == "192.0.2.66"
