def rule(event):
    def named(*wanted):
        return event.get("eventName") in wanted

    return named("StartSession", "ResumeSession")
