import ipaddress

OFFICE = ipaddress.ip_network("203.0.113.0/24")


def rule(event):
    if event.get("eventName") != "GetSessionToken":
        return False
    try:
        address = ipaddress.ip_address(event.get("sourceIPAddress", ""))
    except ValueError:
        return False
    return address not in OFFICE
