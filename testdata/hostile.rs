// Text that an attacker chooses (user agents, session names, names of files, parameters), for every test of what shows it:
// the same for alerts, tables, reports, logs and outputs. Included as an expression.
concat!(
    // Extensions, members and fields of CEF, syslog and JSON.
    "a|b\\c=d\n]\"e' ,;{}\t",
    // Terminals: title, colour, an 8-bit introducer, a link.
    "\u{1b}]0;x\u{7}\u{1b}[31m\u{9b}2J\u{1b}]8;;https://evil.example\u{1b}\\",
    // Slack and Teams: mentions, links, mark-up.
    "<!channel> <@U0123> <at>all</at> <https://evil.example|click> [link](https://evil.example) *bold* _it_ `code` @here",
    // HTML and XML.
    " <b>x</b> <script>alert(1)</script> </testcase> ]]> &amp; &#x1b; <!-- ",
    // Formulas of a spreadsheet.
    " =1+1 +1 -1 @SUM(1) =cmd|'/C x'!A0",
    // Lines of a log, of syslog and of JSON that nobody has written.
    "\r\n ERROR forged\n<134>1 2020-01-01T00:00:00Z h forged - - - x\n{\"level\":\"ERROR\",\"message\":\"forged\"}\n",
    // Templates of whatever formats text.
    "%s %n {0} {{x}} ${x} $(x)",
    // Ends of strings, deletions, directions, and no character at all.
    "\u{0}\u{7f}\u{8}\u{202e}\u{2066}\u{200b}\u{2028}\u{feff}\u{FFFE}",
)
