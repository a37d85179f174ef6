/// Which attempt at a node the current task belongs to, for those who treat a second one with more care.
public enum Attempt {
    /// Counted from 1.
    @TaskLocal public static var number = 1
}
