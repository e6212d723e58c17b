"""Which ports a network rule opens, and to whom."""

ADMIN_PORTS = {
    21: "FTP",
    22: "SSH",
    23: "Telnet",
    135: "RPC",
    445: "SMB",
    1433: "SQL Server",
    1521: "Oracle",
    2375: "Docker",
    3306: "MySQL",
    3389: "RDP",
    5432: "PostgreSQL",
    5900: "VNC",
    5985: "WinRM",
    5986: "WinRM",
    6379: "Redis",
    6443: "Kubernetes",
    9200: "Elasticsearch",
    11211: "Memcached",
    27017: "MongoDB",
}


def everyone(cidr):
    """The range is the whole internet, in IPv4 or IPv6."""
    return isinstance(cidr, str) and cidr.endswith("/0")


def admin_services(protocol, first, last):
    """Names of the services, of those never meant for the internet, that a port range opens."""
    if protocol in ("-1", -1, "all"):
        return ["all ports"]
    if protocol not in ("tcp", "udp", "6", "17", 6, 17) or not isinstance(first, int) or not isinstance(last, int):
        return []
    if (first, last) in ((0, 65535), (1, 65535), (-1, -1)):
        return ["all ports"]
    return [f"{name} ({port})" for port, name in ADMIN_PORTS.items() if first <= port <= last]
