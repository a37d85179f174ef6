/// Where each line goes. Pure.
public enum Fit {}
