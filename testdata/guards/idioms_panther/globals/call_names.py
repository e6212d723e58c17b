SERIAL_CONSOLE = ("EnableSerialConsoleAccess", "SendSerialConsoleSSHPublicKey")
DISK_ENCRYPTION = {"DisableEbsEncryptionByDefault", "ModifyEbsDefaultKmsKeyId"}
