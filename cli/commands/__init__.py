"""The commands, by what they are about. Each reads its options, asks the client, and shows what came back."""
