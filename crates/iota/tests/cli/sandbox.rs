//! What rules try that are not content with their event.

use crate::harness::{Files, NOW, iota, root};
use serde_json::Value as Json;

/// Name and expression; each must raise, or give nothing.
const ATTACKS: &[(&str, &str)] = &[
    ("own environ", "open('/proc/self/environ').read()"),
    ("environ of the engine", "open(f'/proc/{os.getppid()}/environ').read()"),
    ("passwd", "open('/etc/passwd').read()"),
    ("a file to write", "open('/tmp/iota-attack', 'w')"),
    ("proc", "os.listdir('/proc')"),
    ("stat", "os.stat('/etc/passwd')"),
    ("link", "os.symlink('/etc/passwd', '/tmp/iota-attack')"),
    ("unlink", "os.unlink('/tmp/iota-attack')"),
    ("directory", "os.mkdir('/tmp/iota-attack')"),
    ("mode", "os.chmod('/tmp', 0o700)"),
    ("metadata service", "socket.create_connection(('169.254.169.254', 80), 1)"),
    ("name service", "socket.getaddrinfo('example.com', 80)"),
    ("datagram", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"),
    ("unix socket", "socket.socket(socket.AF_UNIX)"),
    ("pair", "socket.socketpair()"),
    ("fork", "os.fork()"),
    ("exec", "os.execv('/bin/true', ['true'])"),
    ("process", "subprocess.run(['/bin/true'])"),
    ("signal to the engine", "os.kill(os.getppid(), 9)"),
    ("other group", "os.setsid()"),
    ("descriptors", "resource.setrlimit(resource.RLIMIT_NOFILE, (99, 99))"),
    ("pipe", "os.pipe()"),
    ("memory file", "os.memfd_create('x')"),
    ("memory", "bytearray(1 << 31)"),
    ("late import", "importlib.import_module('csv')"),
    ("raw socket", "failing(libc.syscall(41, 2, 1, 0))"),
    ("raw ptrace", "failing(libc.ptrace(16, os.getppid(), 0, 0))"),
    ("raw prctl", "failing(libc.prctl(1, 0, 0, 0, 0))"),
];

#[cfg(target_os = "linux")]
#[test]
fn no_attack_gets_out() {
    let attempts: String = ATTACKS.iter().map(|(name, code)| format!("    {name:?}: lambda: {code},\n")).collect();
    let source = format!(
        "import ctypes, importlib, os, resource, socket, subprocess\nlibc = ctypes.CDLL(None)\ndef failing(got):\n    \
         if got == -1: raise OSError\n    return got\nATTACKS = {{\n{attempts}}}\ndef attempt(attack):\n    try: return repr(attack())\n    \
         except BaseException: return 'denied'\nAT_IMPORT = {{name: attempt(attack) for name, attack in ATTACKS.items()}}\n\
         def rule(event): return True\ndef alert_context(event):\n    \
         return {{'import': AT_IMPORT, 'call': {{name: attempt(attack) for name, attack in ATTACKS.items()}}}}\n"
    );
    let files = Files::new(&[("rules/attacks.py", &source), ("in.jsonl", "{\"eventName\":\"x\"}\n")]);
    let (input, rules) = (files.path("in.jsonl"), files.path("rules"));
    for engine in [None, Some(root().join("engines/iota/engine.py"))] {
        let mut command = iota();
        command.args(["run", &input, "--rules", &rules, "--now", NOW, "--rule-timeout", "20s"]);
        command
            .env("AWS_SECRET_ACCESS_KEY", "planted-secret")
            .args(engine.iter().flat_map(|file| ["--engine", file.to_str().unwrap()]));
        let output = command.output().unwrap();
        let alert: Json =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        assert!(!String::from_utf8_lossy(&output.stdout).contains("planted-secret"));
        for place in ["import", "call"] {
            for (name, _) in ATTACKS {
                assert_eq!(alert["context"][place][name], "denied", "{name}, {place}");
            }
        }
    }
}
