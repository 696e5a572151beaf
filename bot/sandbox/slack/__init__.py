"""A local Slack workspace: the Web API a bot calls, and the people who talk to the bot."""
