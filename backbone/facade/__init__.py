"""What a trading process holds in its hand: Backbone and its subscriptions."""
