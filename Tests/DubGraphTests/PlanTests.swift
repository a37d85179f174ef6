import DubGraph
import Testing
